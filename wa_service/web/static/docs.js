"use strict";

// A problem's type is /docs#<name>, which leads to its entry on the page of problems.
const fragment = decodeURIComponent(location.hash.slice(1));
if (/^[a-z-]+$/.test(fragment)) location.replace(`/docs/problems#${fragment}`);

Scalar.createApiReference("#reference", {
  url: "/openapi.json",
  authentication: { preferredSecurityScheme: "key" },
  defaultOpenAllTags: true,
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: "never",
  agent: { disabled: true },
  mcp: { disabled: true },
});
