//! Parts that the drawings share: gradients, and backdrops that a drawing places first.
//!
//! `meadow`, `ocean`, `room`, `table` and `studio` fill the whole square.

/// Definitions that come before a drawing's shapes.
pub(super) const DEFINITIONS: &str = r"<defs>
<linearGradient id='sky' x2='0' y2='1'><stop stop-color='#5aa2e6'/><stop offset='1' stop-color='#def1fc'/></linearGradient>
<linearGradient id='dusk' x2='0' y2='1'><stop stop-color='#27306b'/><stop offset='.6' stop-color='#c0587a'/><stop offset='1' stop-color='#f7a15e'/></linearGradient>
<linearGradient id='night' x2='0' y2='1'><stop stop-color='#080c26'/><stop offset='1' stop-color='#33407a'/></linearGradient>
<linearGradient id='sea' x2='0' y2='1'><stop stop-color='#3f93c6'/><stop offset='1' stop-color='#0f4674'/></linearGradient>
<linearGradient id='grass' x2='0' y2='1'><stop stop-color='#8cc257'/><stop offset='1' stop-color='#4b862c'/></linearGradient>
<linearGradient id='sand' x2='0' y2='1'><stop stop-color='#f4dfab'/><stop offset='1' stop-color='#d8b272'/></linearGradient>
<linearGradient id='wall' x2='0' y2='1'><stop stop-color='#f2e8d6'/><stop offset='1' stop-color='#dfcdb0'/></linearGradient>
<linearGradient id='wood' x2='0' y2='1'><stop stop-color='#b5804c'/><stop offset='1' stop-color='#80522b'/></linearGradient>
<linearGradient id='steel' x2='0' y2='1'><stop stop-color='#f5f7f9'/><stop offset='1' stop-color='#98a3ae'/></linearGradient>
<linearGradient id='foliage' x2='0' y2='1'><stop stop-color='#6fae45'/><stop offset='1' stop-color='#2f6a2a'/></linearGradient>
<radialGradient id='backdrop' r='.75'><stop stop-color='#ffffff'/><stop offset='1' stop-color='#c9d2da'/></radialGradient>
<radialGradient id='shine' cx='.35' cy='.3' r='.75'><stop stop-color='#fff' stop-opacity='.65'/><stop offset='.45' stop-color='#fff' stop-opacity='0'/><stop offset='1' stop-color='#000' stop-opacity='.35'/></radialGradient>
<radialGradient id='glow'><stop stop-color='#ffe9a0'/><stop offset='1' stop-color='#ffe9a0' stop-opacity='0'/></radialGradient>
<radialGradient id='shadow'><stop stop-color='#000' stop-opacity='.4'/><stop offset='1' stop-color='#000' stop-opacity='0'/></radialGradient>
<g id='cloud' fill='#fff' fill-opacity='.9'><ellipse cx='0' cy='0' rx='24' ry='9'/><circle cx='-8' cy='-6' r='10'/><circle cx='7' cy='-8' r='12'/></g>
<g id='meadow'><rect width='200' height='200' fill='url(#sky)'/><use href='#cloud' x='45' y='38'/><use href='#cloud' x='158' y='26'/><ellipse cx='45' cy='140' rx='120' ry='32' fill='#79ad58'/><ellipse cx='175' cy='142' rx='95' ry='26' fill='#68a04c'/><rect y='138' width='200' height='62' fill='url(#grass)'/></g>
<g id='ocean'><rect width='200' height='200' fill='url(#sky)'/><use href='#cloud' x='40' y='34'/><use href='#cloud' x='165' y='50'/><rect y='125' width='200' height='75' fill='url(#sea)'/><path d='M10 142h30M70 135h22M150 139h34M30 160h40M120 168h46M12 184h30M90 188h50' stroke='#b9def0' stroke-width='2' stroke-linecap='round' stroke-opacity='.6'/></g>
<g id='room'><rect width='200' height='200' fill='url(#wall)'/><rect y='150' width='200' height='50' fill='url(#wood)'/><rect y='146' width='200' height='5' fill='#fff8ea'/><path d='M0 168h200M0 186h200' stroke='#6d4423' stroke-opacity='.5'/></g>
<g id='table'><rect width='200' height='200' fill='url(#wall)'/><rect y='128' width='200' height='72' fill='url(#wood)'/><path d='M0 128h200' stroke='#d9ab74' stroke-width='3'/><path d='M0 150h200M0 175h200' stroke='#6d4423' stroke-opacity='.35'/></g>
<g id='studio'><rect width='200' height='200' fill='url(#backdrop)'/></g>
</defs>";
