"""Drivers: SQL, values, logins and errors, of each database on a real server or a played one."""
