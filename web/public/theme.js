// Runs before the first paint, so that the page never flashes in the other theme.
(function () {
  try {
    var choice = localStorage.getItem("stich.theme");
    if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
  } catch {
    // Storage may be refused; the system's preference then decides.
  }
})();
