"""The cluster side of DNS: what CoreDNS is configured with and knows of the API."""
