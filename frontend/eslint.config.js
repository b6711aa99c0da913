import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "src/api/schema.d.ts", "eslint.config.js", "scripts/"] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        project: ["./tsconfig.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // Numbers in template strings are what CSS and URLs are made of.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      eqeqeq: "error",
    },
  },
  {
    // Layers: state knows nothing but itself; views reach the server through sync alone.
    files: ["src/state/**"],
    rules: { "no-restricted-imports": ["error", { patterns: ["../sync/*", "../api/*", "../render/*", "../pages/*", "lit*"] }] },
  },
  {
    files: ["src/pages/**", "src/render/**"],
    rules: { "no-restricted-imports": ["error", { patterns: ["**/api/client*", "openapi-fetch"] }] },
  },
);
