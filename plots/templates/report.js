// Everything is readable without this: it enlarges figures and switches the theme.
"use strict";
(() => {
  const root = document.documentElement;
  const themes = ["system", "light", "dark"];
  const button = document.getElementById("theme");
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const apply = (name) => {
    if (name === "system") { root.removeAttribute("data-theme"); } else { root.dataset.theme = name; }
    button.textContent = `Theme: ${name}`;
    try { localStorage.setItem("theme", name); } catch { /* a page from a file may keep nothing */ }
  };
  let theme = themes.includes(stored()) ? stored() : "system";
  apply(theme);
  button.hidden = false;
  button.addEventListener("click", () => { theme = themes[(themes.indexOf(theme) + 1) % 3]; apply(theme); });

  const figures = [...document.querySelectorAll("figure")];
  const large = document.getElementById("large");
  let shown = 0;
  const show = (index) => {
    shown = (index + figures.length) % figures.length;
    const [from, to] = [figures[shown].querySelector("img"), large.querySelector("img")];
    to.src = from.src;
    to.alt = from.alt;
    large.querySelector("p").textContent = figures[shown].querySelector("figcaption span").textContent;
    if (!large.open) { large.showModal(); }
  };
  figures.forEach((figure, index) => figure.querySelector("button").addEventListener("click", () => show(index)));
  document.getElementById("before").addEventListener("click", () => show(shown - 1));
  document.getElementById("after").addEventListener("click", () => show(shown + 1));
  large.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") { show(shown - 1); }
    if (event.key === "ArrowRight") { show(shown + 1); }
  });
  large.addEventListener("close", () => figures[shown].querySelector("button").focus());
})();
