/**
 * Django's catalogue of this page's texts, which the template loads before this script
 * (django.views.i18n.JavaScriptCatalog). Without it, texts stay English.
 */
const { gettext = (text) => text, interpolate = fill } = window;

export { gettext, interpolate };

/** Times and numbers as the page's language has them. */
export const language = document.documentElement.lang || undefined;

function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (_, name) => String(values[name]));
}
