import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The editor is by far the largest piece, and comes when the first file is shown.
const EDITOR_KB = 700;

export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", assetsInlineLimit: 0, chunkSizeWarningLimit: EDITOR_KB },
});
