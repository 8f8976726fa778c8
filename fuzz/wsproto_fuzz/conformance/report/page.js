'use strict';
// The filter. What it says stands in the address too, so that a view can be shared: #verdict=fail&group=ping&text=utf
(() => {
  const byId = (id) => document.getElementById(id);
  const text = byId('text'), group = byId('group'), shown = byId('shown'), unfold = byId('unfold');
  const toggles = [...document.querySelectorAll('.toggle')];
  const sections = [...document.querySelectorAll('section[data-group]')];
  const cases = sections.flatMap((section) => [...section.querySelectorAll('.cases > details')].map((details) => ({
    details, section, family: details.closest('.family'),
    verdicts: new Set(details.dataset.verdicts.split(' ')),
    words: [details.querySelector('summary'), ...details.querySelectorAll('.requirement, .finding')]
      .map((part) => part.textContent).join(' ').toLowerCase(),
  })));
  const nothing = Object.assign(document.createElement('p'), { id: 'nothing', textContent: 'No case is like that.' });
  nothing.hidden = true;
  document.querySelector('footer').before(nothing);

  const wanted = () => ({
    words: text.value.toLowerCase().split(/\s+/).filter(Boolean),
    group: group.value,
    verdicts: toggles.filter((toggle) => toggle.ariaPressed === 'true').map((toggle) => toggle.dataset.verdict),
  });
  const matches = (item, { words, group: name, verdicts }) =>
    (!name || item.section.dataset.group === name)
    && (!verdicts.length || verdicts.some((verdict) => item.verdicts.has(verdict)))
    && words.every((word) => item.words.includes(word));

  const apply = () => {
    const filter = wanted();
    const seen = new Set();
    let count = 0;
    for (const item of cases) {
      const visible = matches(item, filter);
      item.details.hidden = !visible;
      if (visible) { seen.add(item.section).add(item.family); count += 1; }
    }
    for (const item of cases) item.family.hidden = !seen.has(item.family);
    for (const section of sections) section.hidden = !seen.has(section);
    nothing.hidden = count > 0;
    shown.textContent = count === cases.length ? `${count} cases` : `${count} of ${cases.length} cases`;
    unfold.textContent = visibleCases().some((details) => !details.open) ? 'Unfold' : 'Fold';
    return filter;
  };
  const visibleCases = () => cases.map((item) => item.details).filter((details) => !details.hidden);

  const remember = ({ words, group: name, verdicts }) => {
    const parts = new URLSearchParams();
    if (verdicts.length) parts.set('verdict', verdicts.join(' '));
    if (name) parts.set('group', name);
    if (words.length) parts.set('text', words.join(' '));
    try { history.replaceState(null, '', parts.size ? `#${parts}` : '#'); } catch { /* a page without an address */ }
  };
  const recall = () => {
    const hash = location.hash.slice(1);
    const parts = new URLSearchParams(hash.includes('=') ? hash : '');
    const verdicts = (parts.get('verdict') ?? '').split(' ');
    for (const toggle of toggles) toggle.ariaPressed = String(verdicts.includes(toggle.dataset.verdict));
    group.value = parts.get('group') ?? '';
    text.value = parts.get('text') ?? '';
    apply();
    const target = hash && !hash.includes('=') ? byId(decodeURIComponent(hash)) : null;
    if (target?.matches('details')) { target.open = true; target.scrollIntoView(); }
  };
  const change = () => remember(apply());

  text.addEventListener('input', change);
  group.addEventListener('change', change);
  for (const toggle of toggles) {
    toggle.addEventListener('click', () => { toggle.ariaPressed = String(toggle.ariaPressed !== 'true'); change(); });
  }
  unfold.addEventListener('click', () => {
    const open = unfold.textContent === 'Unfold';
    for (const details of visibleCases()) details.open = open;
    unfold.textContent = open ? 'Fold' : 'Unfold';
  });
  byId('filters').addEventListener('submit', (event) => event.preventDefault());
  addEventListener('hashchange', () => {
    recall();
    if (location.hash.includes('=')) byId('filters').scrollIntoView(); // a link to a view: to those cases
  });
  addEventListener('keydown', (event) => {
    const typing = event.target.matches?.('input, select, textarea');
    if (event.key === '/' && !typing) { event.preventDefault(); text.focus(); }
    if (event.key === 'Escape' && event.target === text) { text.value = ''; change(); }
  });
  document.documentElement.classList.add('js');
  // The heads of the groups stick below the filter, however many lines it has.
  new ResizeObserver(([entry]) => {
    document.body.style.setProperty('--above', `${entry.borderBoxSize[0].blockSize - 1}px`);
  }).observe(byId('filters'));
  recall();
})();
