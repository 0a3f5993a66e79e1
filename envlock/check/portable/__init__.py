"""The lock as a shell script that checks without envlock."""
