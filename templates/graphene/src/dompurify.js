// DOMPurify as Monaco imports its own copy of it, which is years old: see vite.config.js.
import purify from "dompurify";

export default purify;
export const {
  version,
  isSupported,
  sanitize,
  setConfig,
  clearConfig,
  isValidAttribute,
  addHook,
  removeHook,
  removeHooks,
  removeAllHooks,
} = purify;
