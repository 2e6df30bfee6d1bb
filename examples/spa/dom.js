// Makes elements. Texts are never read as HTML.

/** `element('p', {class: 'hint'}, 'text', child)`; functions become listeners, false and null leave an attribute out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(key, value);
    else if (value === true && !key.startsWith('aria-')) made.setAttribute(key, '');
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child != null && child !== false));
  return made;
}

/** A time as people read it. */
export const time = (text) => (text ? new Date(text).toLocaleString('zh-CN', { dateStyle: 'medium', timeStyle: 'short' }) : '');

/** A table of names and values; empty values are left out. */
export function facts(rows) {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return element('dl', {}, shown.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
}
