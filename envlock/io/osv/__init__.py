"""Security advisories in OSV's format: ``api`` asks a service, ``records`` reads files of them."""
