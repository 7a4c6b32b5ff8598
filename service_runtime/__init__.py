"""What a gRPC process of the shop runs on. It knows nothing of discs, customers or orders."""
