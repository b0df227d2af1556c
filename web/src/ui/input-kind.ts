// Whether the last input came from a pointer or from the keyboard. Tabs are focused by script when they are pressed, which
// browsers show with a ring that is meant for the keyboard; the style sheet leaves it out after a pointer.

const note = (kind: "pointer" | "keyboard") => () => {
  document.documentElement.dataset.input = kind;
};

export function watchInputKind(): void {
  window.addEventListener("pointerdown", note("pointer"), { capture: true, passive: true });
  window.addEventListener("keydown", note("keyboard"), { capture: true, passive: true });
}
