"""What is done with a caption between the model and the output, with the picture beside it."""
