"""What people look at: figures made from run directories, and the terminal."""
