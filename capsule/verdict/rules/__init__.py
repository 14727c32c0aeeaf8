"""The rules of a verdict, one room of facts each."""
