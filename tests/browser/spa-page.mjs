// What a person does with the page of examples/spa.
import { join } from 'node:path';

export const PASSWORD = 'demo-password-2026';

/** The page in a tab of its own. */
export class Spa {
  constructor(page, files) {
    this.page = page;
    this.files = files;
  }

  async logIn(login) {
    await this.page.fill('#login [name=login]', login);
    await this.page.fill('#login [name=password]', PASSWORD);
    await this.page.click('#login button');
    await this.page.locator(`#people button[aria-current=true]`, { hasText: `（${login}）` }).waitFor();
  }

  switchTo(login) {
    return this.page.locator('#people button', { hasText: `（${login}）` }).click();
  }

  /** Looks for an order in the work list and opens it. */
  async openOrder(orderNo) {
    await this.page.fill('#search [name=q]', orderNo);
    await this.page.click('#search button');
    await this.page.locator('#list button', { hasText: orderNo }).click();
    await this.page.locator('h2', { hasText: orderNo }).waitFor();
  }

  button(operation) {
    return this.page.locator(`#page button[data-operation=${operation}]`).first();
  }

  press(operation) {
    return this.button(operation).click();
  }

  /** Presses a button and waits for its dialog. */
  async ask(operation) {
    await this.press(operation);
    await this.page.locator('dialog[open] form').waitFor();
  }

  /** Ticks every box of the dialog and confirms. */
  async tickAll() {
    for (const box of await this.page.locator('dialog [type=checkbox]').all()) await box.check();
    await this.fill({});
    await this.closed();
  }

  /** Fills the dialog's fields by name and confirms. */
  async fill(values) {
    for (const [name, value] of Object.entries(values)) {
      const input = this.page.locator(`dialog [name="${name}"]`).first();
      const kind = await input.evaluate((node) => (node.tagName === 'SELECT' ? 'select' : node.type));
      if (kind === 'select') {
        await input.locator(`option[value="${value}"]`).waitFor({ state: 'attached' });
        await input.selectOption(value);
      } else if (kind === 'checkbox') await input.setChecked(value);
      else if (kind === 'file') await input.setInputFiles(join(this.files, value));
      else await input.fill(value);
    }
    await this.page.click('dialog button.primary');
  }

  async closed() {
    const dialog = this.page.locator('dialog[open]');
    await dialog.waitFor({ state: 'detached' }).catch(async () => {
      throw new Error(`the dialog stays open: ${await dialog.innerText()}`);
    });
  }

  /** Presses a button, fills its dialog, waits until it is done. */
  async step(operation, values) {
    await this.ask(operation);
    await this.fill(values);
    await this.closed();
  }

  /** The status as the page shows it, without anybody reloading. */
  async status(text) {
    await this.page.locator('#status', { hasText: text }).waitFor({ timeout: 60_000 }).catch(async () => {
      throw new Error(`the status is ${await this.page.locator('#status').innerText()}, not ${text}`);
    });
    console.log(`   ${text}`);
  }
}
