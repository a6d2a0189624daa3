/* Light or dark as the app is; tables that are sorted by a click and narrowed by a choice. Nothing is asked for. */
(() => {
  const themeOf = (address) => {
    try {
      const url = new URL(address);
      return url.origin === location.origin ? url.searchParams.get("__theme") : null;
    } catch {
      return null;
    }
  };
  const theme = themeOf(location.href) || themeOf(document.referrer); // as Gradio's own pages are told
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    const dark = theme === "dark" || (theme !== "light" && prefersDark.matches);
    document.documentElement.classList.toggle("dark", dark);
  };
  paint();
  prefersDark.addEventListener("change", paint);

  const valueOf = (cell) => {
    if ("value" in cell.dataset) return Number(cell.dataset.value);
    const text = cell.dataset.word ?? cell.textContent.trim();
    return text === "–" ? null : text;
  };
  /* What was not measured stays at the end, whichever way round. */
  const compare = (a, b, way) => {
    const missing = (value) => value === null || Number.isNaN(value);
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    if (typeof a === "number" && typeof b === "number") return way * (a - b);
    return way * String(a).localeCompare(String(b), "en", { numeric: true });
  };
  const sortBy = (table, head) => {
    const heads = [...head.parentElement.children];
    const column = heads.indexOf(head);
    const rows = [...table.tBodies[0].rows];
    const numbers = rows.some((row) => "value" in row.cells[column].dataset);
    const before = head.getAttribute("aria-sort");
    const first = numbers ? "descending" : "ascending"; // the largest number, the first word
    const other = numbers ? "ascending" : "descending";
    const now = before === first ? other : first;
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", now);
    const way = now === "ascending" ? 1 : -1;
    rows.sort((a, b) => compare(valueOf(a.cells[column]), valueOf(b.cells[column]), way));
    table.tBodies[0].append(...rows);
  };
  const narrow = (board) => {
    const chosen = [...board.querySelectorAll("select")].filter((list) => list.value);
    const rows = [...board.querySelectorAll(".eft-leaders tbody tr")];
    for (const row of rows) {
      const holds = (list) => row.querySelector(`[data-key="${list.dataset.key}"]`).dataset.word === list.value;
      row.hidden = !chosen.every(holds);
    }
    const shown = rows.filter((row) => !row.hidden).length;
    board.querySelector("output").textContent = `${shown} of ${rows.length} rows`;
  };
  /* Where the browser forbids it, the command is marked, so that a key press copies it. */
  const copy = async (button) => {
    const code = button.parentElement.querySelector("pre");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = button.dataset.copied;
    } catch {
      getSelection().selectAllChildren(code);
    }
  };
  const start = () => {
    for (const board of document.querySelectorAll(".eft-board")) {
      const table = board.querySelector(".eft-leaders");
      for (const head of table.tHead.rows[0].cells)
        head.querySelector("button").addEventListener("click", () => sortBy(table, head));
      board.querySelector(".eft-choices").hidden = false;
      for (const list of board.querySelectorAll("select")) list.addEventListener("change", () => narrow(board));
      narrow(board); // a browser may remember what was chosen
    }
    for (const button of document.querySelectorAll(".eft-copy")) {
      button.hidden = false;
      button.addEventListener("click", () => copy(button));
    }
    if (theme) document.getElementById("back").search = new URLSearchParams({ __theme: theme });
  };
  addEventListener("DOMContentLoaded", start);
})();
