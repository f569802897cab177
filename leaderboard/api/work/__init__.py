"""The routes by which the teaching team follows and steers what is handed in. Scope: `staff`."""
