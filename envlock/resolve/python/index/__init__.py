"""An index as it was at an instant: its pages, its metadata, served on loopback."""
