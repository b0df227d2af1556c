// Imported before CodeMirror. Where a browser can tell of waiting input, CodeMirror reads a long file for up to 100 ms at
// a time; where it cannot, only for as long as the browser has nothing else to do. A page on which text streams wants the
// second: pictures wait for it too, not input alone.

if ("scheduling" in navigator) Object.defineProperty(navigator, "scheduling", { value: undefined, configurable: true });
