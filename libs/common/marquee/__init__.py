"""What two or more services of Marquee need, one noun a module."""
