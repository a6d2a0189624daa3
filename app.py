"""Open the app in the browser: `python app.py`. A Gradio Space runs this very file."""

from eftclip.ui import main

if __name__ == "__main__":
    raise SystemExit(main())
