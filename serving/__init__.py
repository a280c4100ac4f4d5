"""What do we decide, on what terms, and how do we say and record it?"""
