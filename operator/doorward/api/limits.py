"""The limits of every duration in a spec: the rules of the CRDs and the operator's own rules both read them here.

An object may be older than a limit, and the CRD of a cluster may be older, too: so the operator holds the limits itself.
"""

SHORTEST_LIFETIME = "1h"
"""Of a client certificate."""
BETWEEN_RENEWALS = "5m"
"""At least so much of its lifetime passes before a certificate is renewed."""
SHORTEST_CA_LIFETIME = "48h"
"""Of a generated CA: its successor is made at half of it, and each new CA reissues to every client."""
BETWEEN_CAS = "24h"
"""At least so much of its lifetime passes before a generated CA is renewed."""
LONGEST_CA_LIFETIME = "262800h"
BETWEEN_CRLS = "1m"
"""At least so much time passes between two CRLs of which nothing but the time differs."""
LONGEST_CRL_VALIDITY = "8760h"
SHORTEST_STALENESS = "2m"
"""The API server sends a bookmark every minute: a shorter time without one says nothing."""
