"""The programs that ask as clients do, each with what its language brings.

All are called with HOST PORT CA (what signed the server's certificate). Each line of standard input is a question: `none`,
`pem FILE` or `p12 FILE PASSWORD-FILE`, parted by tabs. Each line of standard output is its answer: the status and the body in
base64, parted by a tab; the status 0 where there was none, and then what went wrong. Every question is a new connection and a
new TLS session. Nothing resolves HOST: it is on this machine.
"""
