"""What is known of the Kerases and TensorFlows that were released: one table a fact."""
