// Chromium, with an empty profile and without calls to its maker.
import { chromium } from 'playwright-core';

/** Starts the browser that CHROMIUM names. */
export function startBrowser() {
  const args = [
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--lang=zh-CN',
  ];
  // Chromium refuses its sandbox to root, and containers of CI run as root.
  if (process.getuid?.() === 0) args.push('--no-sandbox');
  return chromium.launch({ executablePath: process.env.CHROMIUM, args });
}

/** Collects what a page complains about: exceptions, and errors on its console. */
export function complaints(page) {
  const list = [];
  page.on('pageerror', (error) => list.push(`exception: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') list.push(`console: ${message.text()} (${message.location().url})`);
  });
  return list;
}

/** Checks that are reported together at the end; a part fails when one of them does. */
export class Checks {
  faults = [];
  count = 0;

  /** One check, with what to print when it fails. */
  that(is_so, text) {
    this.count += 1;
    if (!is_so) {
      this.faults.push(text);
      console.log(`   FAULT ${text}`);
    }
    return is_so;
  }
}
