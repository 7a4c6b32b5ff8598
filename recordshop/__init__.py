"""What users of Record Shop import: the generated stubs, and `recordshop.client`."""
