// Opens a sealed question in this browser, seals the answer, and opens the outcome. The relay that serves the bytes
// cannot read any of it: the secret stands behind the # of the link, which a browser does not send (docs/relay.md).
// Whatever is shown is a text node; characters that hide or turn text are shown as their codes.
'use strict';
(() => {
  const main = document.getElementById('main');
  const utf8 = new TextEncoder();
  const named = document.querySelector('meta[name=relay]').content;
  const relay = new URL('relay/v1/', named ? named.replace(/\/?$/, '/') : location.href);
  const [, plane, page, secret] = /^#(\w{1,64})\.([\w-]{22})\.([\w-]{43})$/.exec(location.hash) ?? [];
  const asked = {credentials: 'omit', referrerPolicy: 'no-referrer', redirect: 'error', cache: 'no-store'};
  let question;

  // Sealing: as PageSeal does it.

  const lines = (...all) => utf8.encode(all.join('\n'));
  const random = length => crypto.getRandomValues(new Uint8Array(length));

  const base64url = bytes => btoa(Array.from(bytes, b => String.fromCharCode(b)).join(''))
    .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

  const bytesOf = text => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0));

  async function keyOf(kind, use) {
    const from = await crypto.subtle.importKey('raw', utf8.encode(secret), 'HKDF', false, ['deriveKey']);
    const info = utf8.encode('postern-relay/1 ' + kind);
    const how = {name: 'HKDF', hash: 'SHA-256', salt: utf8.encode(page), info};
    return crypto.subtle.deriveKey(how, from, {name: 'AES-GCM', length: 256}, false, [use]);
  }

  async function seal(kind, bound, value) {
    const json = utf8.encode(JSON.stringify(value));
    const padded = new Uint8Array(Math.max(1, Math.ceil(json.length / 1024)) * 1024).fill(32);
    padded.set(json);
    const iv = random(12);
    const how = {name: 'AES-GCM', iv, additionalData: lines(plane, page, bound)};
    const text = new Uint8Array(await crypto.subtle.encrypt(how, await keyOf(kind, 'encrypt'), padded));
    const made = new Uint8Array(12 + text.length);
    made.set(iv);
    made.set(text, 12);
    return base64url(made);
  }

  async function open(kind, bound, text) {
    const bytes = bytesOf(text);
    const how = {name: 'AES-GCM', iv: bytes.subarray(0, 12), additionalData: lines(plane, page, bound)};
    const plain = await crypto.subtle.decrypt(how, await keyOf(kind, 'decrypt'), bytes.subarray(12));
    return JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(plain));
  }

  // Showing.

  const hidden = new RegExp(
    '[\\p{Cc}\\p{Cf}\\p{Co}\\p{Cn}\\p{Cs}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}'
      + '\\u2800\\u{16FE4}\\u{13441}\\u{13442}\\u{1D159}]|(?<=\\p{M}{4})\\p{M}', 'gu');

  const visible = text => String(text).replace(hidden, c =>
    '\n\r\t'.includes(c) ? c : `\\u{${c.codePointAt(0).toString(16).padStart(4, '0')}}`);

  function element(name, attributes, ...inside) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes))
      if (value !== false)
        made.setAttribute(key, value);
    made.append(...inside);
    return made;
  }

  function instant(text) {
    const how = {day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZone: 'UTC'};
    const shown = new Date(text).toLocaleString('en-GB', how).replace(' at ', ', ') + ' UTC';
    return element('time', {datetime: visible(text)}, shown);
  }

  function show(title, ...inside) {
    document.title = title;
    main.replaceChildren(...inside.filter(i => i));
  }

  const heading = text => element('h1', {dir: 'auto'}, visible(text));
  const note = text => element('p', {role: 'alert', class: 'note'}, text);
  const titleOf = of => of?.title ?? 'May it go on?';

  function fail(title, text, again) {
    const button = again && element('button', {type: 'button'}, 'Try again');
    button?.addEventListener('click', again);
    show(title, heading(title), note(text), button && element('div', {class: 'buttons'}, button));
  }

  const altered = () => fail('This link opens nothing',
    'What came does not open with this link: the link is wrong or incomplete, or somebody has altered what the relay '
      + 'keeps. Nothing was decided. Ask whoever sent it for another.');

  const unknown = () => fail('It is not known what became of it',
    'What came back does not open with this link: somebody has altered it on its way. Your answer may have been taken. '
      + 'Open the link again, or ask whoever sent it.', start);

  function ask(message, entered) {
    const options = question.options ?? [];
    const choice = element('select', {id: 'option'}, element('option', {value: ''}, '–'),
      ...options.map((o, i) => element('option', {value: i, selected: entered?.choice === String(i) && ''},
        visible(o.label))));
    const comment = element('textarea', {id: 'comment', rows: 4, maxlength: 4000, dir: 'auto'}, entered?.comment ?? '');
    const button = (word, text, look) => {
      const made = element('button', {type: 'button', class: look}, text);
      made.addEventListener('click', () => answer(word, choice.value, comment.value, form));
      return made;
    };
    const form = element('form', {autocomplete: 'off'},
      ...options.length > 0 ? [element('label', {for: 'option'}, 'Choose one'), choice] : [],
      element('label', {for: 'comment'}, 'Comment (the agent reads it)'), comment,
      element('div', {class: 'buttons', role: 'group', 'aria-label': 'Decide'},
        button('approved', 'Approve', 'yes'), button('request_changes', 'Request changes', ''),
        button('rejected', 'Reject', 'no')));
    form.addEventListener('submit', e => e.preventDefault());
    const again = question.round === 1 ? 'asks:' : `asks again (its question ${question.round}):`;
    show('Approve: ' + visible(titleOf(question)),
      element('p', {class: 'who'}, `The agent ${visible(question.agent)} ${again}`),
      heading(titleOf(question)),
      message && note(message),
      question.description && element('p', {dir: 'auto', class: 'text'}, visible(question.description)),
      ...typeof question.payload === 'string' ? [element('h2', {id: 'payload'}, 'What it is about'),
        element('pre', {tabindex: 0, role: 'region', 'aria-labelledby': 'payload'}, visible(question.payload))] : [],
      question.payload_withheld
        ? note('What it is about is too large to be shown here: it can be read and decided in the console.') : form,
      element('p', {class: 'fine'}, 'Asked ', instant(question.times.requested), '. It can be answered once, until ',
        instant(question.times.expires), '.'));
  }

  function showOutcome(outcome, message) {
    const status = element('p', {role: 'status', tabindex: -1, class: 'outcome ' + outcome.status.replace(/\W/g, '')},
      visible(outcome.words));
    show('Decided: ' + visible(titleOf(outcome)), heading(titleOf(outcome)), message && note(message), status,
      outcome.feedback && element('blockquote', {dir: 'auto', class: 'text'}, visible(outcome.feedback)),
      outcome.decided_at && element('p', {class: 'fine'}, instant(outcome.decided_at)),
      element('p', {class: 'fine'}, 'This page can be closed.'));
    status.focus();
  }

  // Asking the relay.

  async function start() {
    if (!secret)
      return fail('This link opens nothing', 'The link is incomplete: it must end with a # and three words behind it.');
    if (!globalThis.crypto?.subtle)
      return fail('This page cannot open it', 'Open the link over https: this browser seals and opens nothing else.');
    let reply, kept;
    try {
      reply = await fetch(new URL(`pages/${plane}/${page}`, relay), asked);
      kept = await reply.json();
    } catch {
      return fail('Try again later', 'The relay was not reached. Nothing was decided.', start);
    }
    if (reply.status === 404)
      return fail('This link opens nothing',
        'There is no such question here any more, or not yet: it ended some time ago, or the link is incomplete.',
        start);
    if (reply.status !== 200)
      return fail('Try again later', 'The relay cannot answer now. Nothing was decided.', start);
    try {
      if (kept.ended) {
        forget();
        return showOutcome(await open('outcome', String(kept.version), kept.sealed));
      }
      question = await open('question', String(kept.version), kept.sealed);
      ask();
    } catch {
      return altered();
    }
    const stored = recall();
    if (stored)
      await follow(stored);
  }

  async function answer(decision, choice, comment, form) {
    const nonce = base64url(random(16));
    const said = {decision, payload_hash: question.payload_hash, at: new Date().toISOString(), nonce};
    if (choice !== '')
      said.option = question.options[choice].value;
    if (comment.trim() !== '')
      said.comment = comment.trim();
    for (const part of form.elements)
      part.disabled = true;
    let reply, told;
    try {
      const body = JSON.stringify({nonce, sealed: await seal('answer', nonce, said)});
      reply = await fetch(new URL(`pages/${plane}/${page}/answers`, relay), {...asked, method: 'POST', body});
      told = await reply.json();
    } catch {
      return ask('The relay was not reached: your answer may not have got there. Sending it again does no harm.',
        {choice, comment});
    }
    if (reply.status === 202) {
      const stored = {nonce, token: String(told?.receipt).replace(/^.*\//, '')};
      remember(stored);
      return follow(stored);
    }
    await settle(reply.status, told, nonce, {choice, comment});
  }

  /** What the server that asks has answered, now or later. */
  async function settle(status, told, nonce, entered) {
    forget();
    if (typeof told?.sealed === 'string') {
      let outcome;
      try {
        outcome = await open('outcome', String(told.version), told.sealed);
      } catch {
        return unknown();
      }
      if (outcome.nonce !== nonce)
        return unknown();
      if (outcome.status === 'pending')
        return ask('Your answer was not taken: it was of another question than this one.', entered);
      return showOutcome(outcome, status === 200 ? null : 'Your answer was not taken: it had been settled before.');
    }
    if (status === 410)
      return start();
    if (status === 401 || status === 404)
      return altered();
    const wait = status === 429 || status >= 500;
    ask(wait ? 'Your answer was not taken: it cannot be stored now. Try again in a minute.'
      : 'Your answer was not taken: ' + visible(told?.detail ?? told?.error ?? status), entered);
  }

  /** The answer is on disk at the relay; the server that asks is away, or takes its time. */
  async function follow({token, nonce}) {
    const status = element('p', {role: 'status', tabindex: -1, class: 'outcome'},
      'Your answer is stored, and not decided yet: the server that asks is away, or takes its time.');
    show('Stored: ' + visible(titleOf(question)), heading(titleOf(question)), status,
      element('p', {class: 'fine'}, 'This page shows what becomes of it. It may be closed: the answer stays.'));
    status.focus();
    for (;;) {
      let reply, told;
      const began = performance.now();
      try {
        reply = await fetch(new URL(`receipts/${token}?wait=55`, relay), asked);
        told = await reply.json();
      } catch {
        reply = null;
      }
      if (reply?.status === 404 || told?.status === 'expired') {
        forget();
        return fail('Not decided', 'The server that asks did not come back in time: your answer was not taken.');
      }
      if (told?.status === 'answered') {
        let body = null;
        try {
          body = JSON.parse(told.answer.body);
        } catch {
          // An answer without a sealed outcome: its status is enough.
        }
        return settle(told.answer?.status, body, nonce);
      }
      // The relay holds this request for a while. After a fault, wait before the next try.
      if (performance.now() - began < 1000)
        await new Promise(resolve => setTimeout(resolve, 5000));
    }
  }

  // The receipt, kept while the tab is open, so that a reload goes on following it.

  function remember(stored) {
    try {
      sessionStorage.setItem(page, JSON.stringify(stored));
    } catch {
      // This browser may not store anything. The answer is stored at the relay all the same.
    }
  }

  function recall() {
    try {
      const stored = JSON.parse(sessionStorage.getItem(page));
      return /^[\w-]{43}$/.test(stored.token) ? stored : null;
    } catch {
      return null;
    }
  }

  function forget() {
    try {
      sessionStorage.removeItem(page);
    } catch {
      // As above.
    }
  }

  addEventListener('hashchange', () => location.reload());
  start();
})();
