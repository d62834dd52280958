//! Buildings and landscapes.

use super::Drawing;

pub(super) const PLACES: &[Drawing] = &[
    Drawing {
        label: "house",
        shapes: r"<use href='#meadow'/>
<path d='M128 40h16v34h-16z' fill='#8c4a36'/><path d='M125 36h22v7h-22z' fill='#6e3828'/>
<rect x='40' y='88' width='120' height='82' fill='#f2e2b8'/><path d='M40 100h120M40 112h120M40 124h120M40 136h120M40 148h120M40 160h120' stroke='#dcc892' stroke-width='1.5'/>
<path d='M26 92L100 36l74 56z' fill='#a83a2c'/><path d='M26 92L100 36l74 56' stroke='#7c261b' stroke-width='5' fill='none'/><circle cx='100' cy='72' r='9' fill='#bfe1f2' stroke='#fff' stroke-width='3'/>
<rect x='86' y='122' width='28' height='48' fill='#6a3f22'/><circle cx='108' cy='148' r='2.5' fill='#f2c53d'/><path d='M92 128h16v14H92z' fill='#84532f'/>
<g id='window'><rect x='50' y='108' width='26' height='28' fill='#a9d8ef' stroke='#fff' stroke-width='4'/><path d='M63 108v28M50 122h26' stroke='#fff' stroke-width='2.5'/></g><use href='#window' x='74'/>
<path d='M88 170h24l14 30H72z' fill='#c9b79a'/><path d='M18 176c-4-16 6-24 14-18c6-8 18-2 16 18zM152 176c-4-16 6-24 14-18c6-8 18-2 16 18z' fill='#3f7d34'/><circle cx='26' cy='166' r='2.5' fill='#e8559a'/><circle cx='38' cy='168' r='2.5' fill='#e8559a'/><circle cx='166' cy='168' r='2.5' fill='#f2c53d'/>",
    },
    Drawing {
        label: "barn",
        shapes: r"<use href='#meadow'/>
<path d='M0 156h200M0 168h200' stroke='#efe6d4' stroke-width='3'/><path d='M10 150v24M190 150v24' stroke='#efe6d4' stroke-width='4'/>
<rect x='146' y='60' width='30' height='106' fill='#c3cad0'/><path d='M146 60c0-22 30-22 30 0z' fill='#8d979f'/><path d='M146 80h30M146 100h30M146 120h30M146 140h30' stroke='#98a2aa' stroke-width='2'/>
<path d='M26 172V92l18-34l44-26l44 26l18 34v80z' fill='#b02a22'/><path d='M40 172V84M54 172V56M68 172V46M82 172V36M96 172V36M110 172V46M124 172V58M138 172V84' stroke='#8c1d17' stroke-width='1.5'/>
<path d='M18 96l22-42l48-29l48 29l22 42' stroke='#4a4f55' stroke-width='8' fill='none' stroke-linejoin='round'/><path d='M26 92v80h124V92' stroke='#fff' stroke-width='3' fill='none'/>
<rect x='76' y='58' width='24' height='24' fill='#3a1a14' stroke='#fff' stroke-width='4'/>
<path d='M58 108h60v64H58z' fill='#9a221b' stroke='#fff' stroke-width='4'/><path d='M88 108v64M58 108l30 64M88 108l-30 64M88 108l30 64M118 108l-30 64' stroke='#fff' stroke-width='3.5'/>
<ellipse cx='168' cy='176' rx='18' ry='12' fill='#d9b64a'/><circle cx='168' cy='174' r='7' fill='none' stroke='#a8862a' stroke-width='2'/>",
    },
    Drawing {
        label: "lighthouse",
        shapes: r"<rect width='200' height='200' fill='url(#dusk)'/>
<path d='M100 46L-10 10v44zM100 46l110-36v44z' fill='#fff2b0' fill-opacity='.45'/>
<rect y='140' width='200' height='60' fill='url(#sea)'/><path d='M10 152h30M150 150h34M20 170h24M160 176h30' stroke='#f5b98a' stroke-width='2' stroke-opacity='.7'/>
<path d='M40 200c2-22 16-40 34-44l20-8h24l22 12c16 6 24 22 26 40z' fill='#4a443f'/><path d='M60 180l14-14M120 164l16 12' stroke='#6b635b' stroke-width='3'/>
<path d='M84 62h32l10 96H74z' fill='#fbfaf6'/><path d='M82 80h36l2 20H80zM78 120h44l2 20H76z' fill='#d02b2b'/><path d='M104 62h12l10 96h-16z' fill='#000' fill-opacity='.14'/>
<rect x='78' y='56' width='44' height='7' fill='#2d2d31'/><path d='M80 56v-8M88 56v-8M112 56v-8M120 56v-8M78 48h44' stroke='#2d2d31' stroke-width='2'/>
<rect x='88' y='34' width='24' height='22' fill='#fff4b8'/><path d='M88 34v22M100 34v22M112 34v22' stroke='#2d2d31' stroke-width='2.5'/><circle cx='100' cy='45' r='26' fill='url(#glow)'/><path d='M82 35l18-19l18 19z' fill='#c12424'/><path d='M100 16V6' stroke='#2d2d31' stroke-width='3'/>
<path d='M94 158v-12c0-8 12-8 12 0v12z' fill='#3d2b20'/><rect x='97' y='106' width='7' height='10' fill='#3d4a57'/>
<rect x='128' y='138' width='30' height='22' fill='#efe9dc'/><path d='M124 140l19-14l19 14z' fill='#a53428'/><rect x='138' y='146' width='9' height='8' fill='#ffd86a'/>",
    },
    Drawing {
        label: "bridge",
        shapes: r"<use href='#ocean'/><path d='M0 128c20-26 40-30 60-8zM140 126c20-30 44-34 60-20v22z' fill='#5d7f52'/>
<path d='M52 20h10v160H52zM138 20h10v160h-10z' fill='#c0432e'/><path d='M46 20h8v160h-8zM146 20h8v160h-8z' fill='#a23522'/><path d='M46 44h16M46 70h16M138 44h16M138 70h16' stroke='#8a2a1a' stroke-width='5'/>
<path d='M0 82Q30 70 54 22Q100 158 146 22Q172 70 200 82' stroke='#c0432e' stroke-width='4.5' fill='none'/>
<path d='M8 78v36M22 68v46M36 52v62M68 58v56M80 80v34M92 90v24M104 90v24M116 82v32M128 64v50M164 52v62M178 68v46M192 78v36' stroke='#c0432e' stroke-width='1.8'/>
<path d='M0 110h200v12H0z' fill='#a23522'/><path d='M0 122l10 8l10-8l10 8l10-8l10 8l10-8l10 8l10-8l10 8l10-8l10 8l10-8l10 8l10-8l10 8l10-8l10 8l10-8l10 8l10-8' stroke='#8a2a1a' stroke-width='2' fill='none'/>
<path d='M40 176h28v10H40zM132 176h28v10h-28z' fill='#8d8a84'/>
<rect x='84' y='102' width='14' height='8' rx='2' fill='#2f6fb5'/><rect x='112' y='103' width='12' height='7' rx='2' fill='#f2c53d'/>",
    },
    Drawing {
        label: "mountain",
        shapes: r"<rect width='200' height='200' fill='url(#sky)'/><use href='#cloud' x='34' y='50'/><use href='#cloud' x='170' y='36'/>
<path d='M-20 150l60-70l50 70z' fill='#8494a8'/><path d='M120 150l46-66l60 66z' fill='#7b8ca1'/><path d='M40 80l-16 20l8 4l8-6l10 6l6-6zM166 84l-14 21l10 2l6-5l8 6l10-2z' fill='#f4f8fb'/>
<path d='M14 160l90-132l90 132z' fill='#66758a'/><path d='M104 28l-14 132h104z' fill='#516074'/>
<path d='M104 28L64 87l14-2l10 14l14-16l12 18l12-16l10 8l14-4z' fill='#fdfefe'/><path d='M104 28l-4 56l2-1l12 18l12-16l10 8l14-4z' fill='#d3dfea'/>
<path d='M60 110l-16 30M80 116l-8 34M130 112l14 34M146 122l16 26' stroke='#45536a' stroke-width='3'/>
<path d='M0 152c60-16 140-16 200 0v48H0z' fill='#4f8a4a'/><ellipse cx='100' cy='186' rx='78' ry='13' fill='#5aa5cf'/><path d='M60 184h30M100 190h34' stroke='#cdeaf6' stroke-width='2'/>
<g id='firs' fill='#234f2e'><path d='M20 176l-10 0l10-34l10 34zM36 182H26l9-30l9 30zM8 184H-4l10-32l10 32z'/></g><use href='#firs' x='150' y='-4'/><use href='#firs' x='166' y='4'/>",
    },
    Drawing {
        label: "beach",
        shapes: r"<rect width='200' height='200' fill='url(#sky)'/><circle cx='40' cy='36' r='34' fill='url(#glow)'/><circle cx='40' cy='36' r='15' fill='#ffdf5a'/><use href='#cloud' x='110' y='30'/>
<rect y='86' width='200' height='60' fill='#2f9fc4'/><rect y='86' width='200' height='14' fill='#1f7fb0'/><path d='M20 108h36M90 104h40M150 112h30' stroke='#c9eef5' stroke-width='2'/>
<path d='M0 128c30-8 50 8 84 2s70-12 116-2v72H0z' fill='#eaf8f8'/><path d='M0 136c30-8 50 8 84 2s70-12 116-2v64H0z' fill='url(#sand)'/>
<path d='M166 178c-2-40 0-72 12-108l7 2c-10 34-12 66-9 106z' fill='#8a6038'/>
<path d='M182 72c-24-22-46-16-56 4c20-10 36-8 56-4zM182 72c-18-34-2-44 16-50c-6 22-8 34-16 50zM182 72c-30-6-44 14-42 36c12-20 24-30 42-36zM182 72c10-10 18-8 24-2v40c-10-20-16-30-24-38zM180 70c-20-32-40-28-52-18c22 0 36 8 52 18z' fill='#2f8a3f'/>
<path d='M70 176l-8-60' stroke='#fff' stroke-width='4'/><path d='M16 130c10-32 76-42 96-10z' fill='#e8423f'/><path d='M38 126c4-18 12-26 24-28l4 26zM90 121c-6-16-16-22-28-23l4 26z' fill='#fff'/>
<path d='M84 178l50-8l14 10l-54 10z' fill='#3f86c8'/><path d='M96 176l14 11M112 173l14 11' stroke='#fff' stroke-width='4'/>
<circle cx='40' cy='182' r='10' fill='#fff'/><path d='M40 172c-6 4-6 16 0 20c6-4 6-16 0-20z' fill='#e8423f'/><path d='M30 182c0-4 3-8 6-9c-4 6-4 12 0 18c-3-1-6-5-6-9z' fill='#2f6fb5'/>",
    },
];
