"""What is known about the wiki, and how to find it: the room that both sides share."""
