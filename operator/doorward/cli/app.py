"""The command line of people, on Typer. `run` and `gate` never import this: a service starts with what it works with.

Each verb is the function `command` of its module. Its parameters are its options, and its docstring is its help.
"""

import logging
import os
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

import typer

from doorward.cli import services
from doorward.cli.errors import UserError
from doorward.cli.text import one_line

VERBS: Mapping[str, str] = {
    "status": "doorward.cli.status",
    "doctor": "doorward.cli.doctor",
    "who": "doorward.cli.who",
    "why": "doorward.cli.why",
    "client": "doorward.cli.client",
    "find": "doorward.cli.find",
    "inspect": "doorward.cli.inspect",
    "export": "doorward.cli.export",
    "revoke": "doorward.cli.revoke",
    "suspend": "doorward.cli.suspend",
    "resume": "doorward.cli.resume",
    "reissue": "doorward.cli.reissue",
    "plan": "doorward.cli.plan",
    "restore": "doorward.cli.restore",
    "records": "doorward.cli.records",
    "adopt": "doorward.cli.adopt",
    "import": "doorward.cli.importing",
    "uninstall": "doorward.cli.uninstall",
    "crds": "doorward.cli.crds",
    "explain": "doorward.cli.explain",
    "version": "doorward.cli.version",
}
"""In the order of `doorward --help`."""
HELP = {"help_option_names": ["-h", "--help"]}
PASSED_ON = HELP | {"ignore_unknown_options": True, "allow_extra_args": True}
PYDANTIC = "Value error, "
"""What Pydantic, by which Typer parses, says before the reason."""
FAILED = {"plan": 1}
"""The status of a verb that is used wrongly, where 2 says something else."""
INTERRUPTED = 130
"""As a shell reports a process that SIGINT ended."""
PIPE_ENDED = 1
"""As Typer ends where it is told first."""


def app_of(verbs: Iterable[str] = VERBS) -> typer.Typer:
    """The command with these verbs, and with the services; what the others need is not imported."""
    app = typer.Typer(
        name="doorward",
        help="Client-certificate lifecycle for Kubernetes.",
        context_settings=HELP,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_doorward)
    for verb in verbs:
        app.command(verb)(import_module(VERBS[verb]).command)
    for name, text in services.HELP.items():
        app.command(name, help=text, context_settings=PASSED_ON, add_help_option=False)(_service)
    return app


def run(arguments: list[str]) -> int:
    """The verb that the arguments name; its exit status. What went wrong is told on standard error."""
    logging.basicConfig(handlers=[logging.NullHandler()])  # what a service would log is told as a result here
    named = [verb for verb in arguments[:1] if verb in VERBS]
    try:
        status = app_of(named or VERBS)(arguments, prog_name=_program(), standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return _told(
            error.format_message().replace(PYDANTIC, ""),
            " ".join([_program(), *named, "--help"]),
            status=next((FAILED[verb] for verb in named if verb in FAILED), error.exit_code),
        )
    except UserError as error:
        return _told(str(error), error.hint, status=error.status)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return _nobody_reads()
    return status if isinstance(status, int) else 0


def _program() -> str:
    """The words that its users type: `doorward`, or the plugin of kubectl."""
    return "kubectl doorward" if Path(sys.argv[0]).stem.startswith("kubectl") else "doorward"


def _told(message: str, hint: str, *, status: int) -> int:
    said = f"error: {one_line(message)}" + (f" (hint: {one_line(hint)})" if hint else "")
    print(said, file=sys.stderr)
    return status


def _nobody_reads() -> int:
    """Whoever read the output ended, such as `head`. Python would complain of it once more, at its own end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_ENDED


def _doorward() -> None:
    """A group, also of one verb."""


def _service(context: typer.Context) -> int:
    return services.serve(str(context.info_name), context.args)
