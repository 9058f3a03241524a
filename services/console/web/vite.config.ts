import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Nothing inline: the console's policy lets scripts come from its own files alone.
export default defineConfig({
  plugins: [react()],
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, target: "es2022" },
});
