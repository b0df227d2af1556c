import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { mockApi } from "./dev/mock.ts";

const api = process.env.STICH_API;

// `vite` serves the page over a scripted API; `STICH_API=http://127.0.0.1:PORT vite` over a running `stich up`.
export default defineConfig({
  plugins: [react(), ...(api ? [] : [mockApi()])],
  server: { proxy: api ? { "/api": api, "/sign-in": api } : undefined },
  build: { target: "es2022", assetsInlineLimit: 0 },
});
