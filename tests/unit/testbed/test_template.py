"""The controller's template without Lua, on a small sample of its constructs."""

import pytest

from tests.testbed import template

SAMPLE = """\
pid {{ .PID }};

http {
    lua_package_path "/etc/nginx/lua/?.lua;;";

    {{ buildLuaSharedDictionaries $cfg $servers }}

    init_by_lua_block {
        plugins.init({ {{ range $p := $cfg.Plugins }}{{ $p | quote }}{{ end }} })
    }

    upstream upstream_balancer {
        server 0.0.0.1; # placeholder

        balancer_by_lua_block {
          balancer.balance()
        }
    }

    server {
        set_by_lua_block $redirect_to {
            if x then return string.format("%s{}", y) end
        }
        http2 on;
        listen {{ $all.ListenPorts.Default }} default_server;
        ssl_certificate_by_lua_block {
            certificate.call()
        }
        location / {
            rewrite_by_lua_block {
                lua_ingress.rewrite({{ locationConfigForLua $location $all }})
            }
            {{ $proxySetHeader }} X-Scheme               $pass_access_scheme;
            set_escape_uri $escaped_request_uri $request_uri;
        }
        location /is-dynamic-lb-initialized {
            content_by_lua_block {
                ngx.exit(ngx.HTTP_OK)
            }
        }
        location /configuration {
            content_by_lua_block {
              configuration.call()
            }
        }
        location /nothing {
            content_by_lua_block {
                ngx.exit(ngx.HTTP_NOT_FOUND)
            }
        }
    }
}

stream {
    lua_shared_dict tcp_udp_configuration_data 5M;
    server {
        listen 127.0.0.1:{{ .StreamPort }};
    }
}

{{ define "SERVER" }}
{{ end }}
"""


def stripped(*, http2_directive: bool = False) -> str:
    return template.strip(
        SAMPLE, application_port=4242, gate_port=4243, module="/m.so", http2_directive=http2_directive
    )


def test_no_lua_is_left() -> None:
    assert "lua" not in stripped().lower()


def test_braces_still_balance() -> None:
    text = stripped()
    assert text.count("{") == text.count("}")


def test_the_balancer_becomes_the_one_application() -> None:
    assert "0.0.0.1;" not in stripped().replace("127.0.0.1", "")
    assert "server 127.0.0.1:4242;" in stripped()


def test_streams_go_and_something_answers_on_their_port() -> None:
    text = stripped()
    assert "stream {" not in text
    assert text.index("listen 127.0.0.1:{{ .StreamPort }};") < text.index('{{ define "SERVER" }}')


def test_what_follows_the_streams_stays() -> None:
    assert stripped().endswith('{{ define "SERVER" }}\n{{ end }}\n')


@pytest.mark.parametrize(
    ("location", "answer"),
    [("/is-dynamic-lb-initialized", "return 200;"), ("/configuration", "return 201;"), ("/nothing", "return 404;")],
)
def test_the_status_server_answers_what_lua_would(location: str, answer: str) -> None:
    block = stripped().partition(f"location {location} {{")[2].partition("}")[0]
    assert block.strip() == answer


def test_plain_requests_are_redirected_as_the_annotation_says() -> None:
    assert "$location.Rewrite.SSLRedirect $server.SSLCert" in stripped()


def test_the_application_learns_for_which_service_it_answers() -> None:
    assert "X-Testbed-Upstream $proxy_upstream_name;" in stripped()


def test_the_default_server_listens_on_loopback() -> None:
    assert "listen 127.0.0.1:{{ $all.ListenPorts.Default }} default_server;" in stripped()


def test_an_old_nginx_gets_a_mark_in_place_of_the_directive_that_it_does_not_know() -> None:
    assert template.MARK_HTTP2 in stripped()
    assert template.MARK_HTTP2 not in stripped(http2_directive=True)


def test_the_module_is_loaded_first() -> None:
    assert stripped().startswith("load_module /m.so;\n")


def test_a_block_that_never_ends_is_refused() -> None:
    with pytest.raises(ValueError, match="never ends"):
        template.end_of_block("{ {{ }", 0)
