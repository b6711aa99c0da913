import { defineConfig } from "vitest/config";

export default defineConfig({
  // Relative, so that the page works under any mount prefix (/s/<session>/).
  base: "./",
  build: { target: "es2022", sourcemap: false, chunkSizeWarningLimit: 600 },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": { target: "http://127.0.0.1:8000", changeOrigin: false } },
  },
  test: { include: ["tests/**/*.test.ts"], restoreMocks: true },
});
