"""What was found, in the forms that programs read: one module per format, pure text."""
