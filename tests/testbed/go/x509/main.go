// Reads certificates and CRLs, PEM, from standard input as a controller in Go does, and says what it cannot read.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
)

func main() {
	rest, err := io.ReadAll(os.Stdin)
	for err == nil {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return
		}
		if block.Type == "X509 CRL" {
			_, err = x509.ParseRevocationList(block.Bytes)
		} else {
			_, err = x509.ParseCertificate(block.Bytes)
		}
	}
	fmt.Println(err)
}
