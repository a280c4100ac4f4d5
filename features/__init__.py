"""What did we know of this business on that day?"""
