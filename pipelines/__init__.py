"""When does it run, and on what data?"""
