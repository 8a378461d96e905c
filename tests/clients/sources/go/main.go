// Go's net/http with the PEM file. Go's standard library reads no .p12 file.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

func main() {
	host, port := os.Args[1], os.Args[2]
	pem, err := os.ReadFile(os.Args[3])
	if err != nil {
		panic(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem)
	for questions := bufio.NewScanner(os.Stdin); questions.Scan(); {
		status, body, err := ask(host, port, trusted, strings.Split(questions.Text(), "\t"))
		if err != nil {
			status, body = 0, []byte(err.Error())
		}
		fmt.Printf("%d\t%s\n", status, base64.StdEncoding.EncodeToString(body))
	}
}

func ask(host, port string, trusted *x509.CertPool, question []string) (int, []byte, error) {
	config := &tls.Config{RootCAs: trusted}
	if question[0] == "pem" {
		pair, err := tls.LoadX509KeyPair(question[1], question[1])
		if err != nil {
			return 0, nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	here := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	transport := &http.Transport{DialContext: here, TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	client := http.Client{Transport: transport}
	answer, err := client.Get("https://" + net.JoinHostPort(host, port) + "/")
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}
