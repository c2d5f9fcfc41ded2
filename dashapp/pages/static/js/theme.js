// Runs before the first paint: without a choice of one's own, the system's theme; kept in a cookie, so that the server
// draws plots in it.
(() => {
  const root = document.documentElement;
  if (!root.dataset.theme) {
    root.dataset.theme = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  }
  document.cookie = `dashapp_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
})();
