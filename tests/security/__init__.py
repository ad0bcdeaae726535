"""What holds at every door: secrets, forged posts, noise, keys, and portals that never meet."""
