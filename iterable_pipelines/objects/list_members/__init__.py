"""Who is, and was, on which list: the table `objects.list_members`, an interval each time somebody joins.

Static lists come with the user export (from_users.py). The others are read one by one, five requests a minute for all
of them (read.py), in the order that order.py gives them. turn.py does both.
"""
