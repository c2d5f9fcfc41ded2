// The style sheet of forms, which pages load when somebody opens one.

/** Resolves when it is there. */
export function styled(boot) {
  if (document.querySelector("link[data-edit]")) return Promise.resolve();
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: boot.editorStyle });
  link.dataset.edit = "";
  return new Promise((resolve) => { link.onload = link.onerror = resolve; document.head.append(link); });
}
