"""What an index says of packages: stanzas, relations, versions, candidates."""
