"""What the steps of the page share: HTML, banners, galleries, settings, validation, start and stop buttons."""
