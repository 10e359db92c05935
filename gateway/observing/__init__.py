"""What is told of requests and of calls to vendors, as it happens."""
