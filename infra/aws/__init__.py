"""What is built for and done on AWS."""
