"""What the page says to whoever comes back."""


def welcome_back(age_s: float) -> str:
    """A greeting for whoever has results here."""
    minutes = int(age_s // 60)
    ago = "just now" if minutes < 2 else f"{minutes} minutes ago" if minutes < 120 else f"{minutes // 60} hours ago"
    return f"Welcome back. What you found {ago} is shown again below; it is kept for a day, for this browser alone."
