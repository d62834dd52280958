//! Flowers, a tree and a mushroom.

use super::Drawing;

pub(super) const PLANTS: &[Drawing] = &[
    Drawing {
        label: "sunflower",
        shapes: r"<rect width='200' height='200' fill='url(#sky)'/><rect y='170' width='200' height='30' fill='url(#grass)'/>
<path d='M98 120c-4 30-2 54 2 80h10c-6-26-8-50-4-80z' fill='#4d8a2f'/><path d='M102 176c-20-30-46-30-60-24c8 22 30 34 60 24zM104 162c18-30 44-32 58-24c-8 22-28 34-58 24z' fill='#5d9e38'/>
<g fill='#f7b617' stroke='#d9900c' stroke-width='1'><g id='rays'><path id='ray' d='M100 6c12 14 14 30 0 48c-14-18-12-34 0-48z'/><use href='#ray' transform='rotate(30 100 82)'/><use href='#ray' transform='rotate(60 100 82)'/><use href='#ray' transform='rotate(90 100 82)'/><use href='#ray' transform='rotate(120 100 82)'/><use href='#ray' transform='rotate(150 100 82)'/><use href='#ray' transform='rotate(180 100 82)'/><use href='#ray' transform='rotate(210 100 82)'/><use href='#ray' transform='rotate(240 100 82)'/><use href='#ray' transform='rotate(270 100 82)'/><use href='#ray' transform='rotate(300 100 82)'/><use href='#ray' transform='rotate(330 100 82)'/></g></g>
<use href='#rays' fill='#ffd23b' stroke='#e2a312' transform='rotate(15 100 82)'/>
<circle cx='100' cy='82' r='36' fill='#5a3413'/><circle cx='100' cy='82' r='24' fill='#3a200a'/><g fill='none' stroke='#8a5a24' stroke-width='3' stroke-dasharray='2 5'><circle cx='100' cy='82' r='31'/><circle cx='100' cy='82' r='21'/><circle cx='100' cy='82' r='11'/></g>",
    },
    Drawing {
        label: "daisy",
        shapes: r"<rect width='200' height='200' fill='url(#foliage)'/><circle cx='40' cy='40' r='50' fill='#83bd58' fill-opacity='.5'/><circle cx='170' cy='150' r='60' fill='#2a5e28' fill-opacity='.5'/>
<path d='M102 110c-4 34-10 60-20 90h9c8-30 14-56 18-90z' fill='#7fb84e'/>
<g fill='#fdfdfb' stroke='#cfd6d8' stroke-width='1'><g id='petals'><path id='petal' d='M102 18c12 8 12 40 4 62h-8c-8-22-8-54 4-62z'/><use href='#petal' transform='rotate(40 102 96)'/><use href='#petal' transform='rotate(80 102 96)'/><use href='#petal' transform='rotate(120 102 96)'/><use href='#petal' transform='rotate(160 102 96)'/><use href='#petal' transform='rotate(200 102 96)'/><use href='#petal' transform='rotate(240 102 96)'/><use href='#petal' transform='rotate(280 102 96)'/><use href='#petal' transform='rotate(320 102 96)'/></g><use href='#petals' transform='rotate(20 102 96)'/></g>
<circle cx='102' cy='96' r='23' fill='#f5bd1f'/><circle cx='102' cy='96' r='23' fill='url(#shine)'/><g fill='none' stroke='#c98a0c' stroke-width='2.5' stroke-dasharray='1.5 4'><circle cx='102' cy='96' r='17'/><circle cx='102' cy='96' r='10'/></g>",
    },
    Drawing {
        label: "tulip",
        shapes: r"<use href='#meadow'/>
<g id='tulip'><path d='M98 96c-2 40-2 70 0 104h7c-2-34-2-64 0-104z' fill='#4f8f35'/><path d='M100 196c-26-24-32-60-28-90c16 22 28 50 28 90zM103 196c18-30 24-52 32-80c10 30-6 62-32 80z' fill='#5fa441'/>
<path d='M70 44c-10 34 4 64 31 66c28-2 42-32 32-66c-10 2-14 8-18 14c-4-14-8-20-14-26c-6 6-10 12-14 26c-3-6-8-12-17-14z' fill='#d8274f'/><path d='M101 32c-14 18-20 48 0 78c20-30 14-60 0-78z' fill='#ee4d73'/><path d='M101 40c-2 24-2 44 0 64' stroke='#ffb0c2' stroke-width='2.5' fill='none'/></g>
<use href='#tulip' transform='translate(-22 82) scale(.6)'/><use href='#tulip' transform='translate(102 76) scale(.62)'/>",
    },
    Drawing {
        label: "rose",
        shapes: r"<use href='#studio'/>
<path d='M104 104c-6 30-8 60-4 96h8c-4-36-2-64 4-96z' fill='#2f6a2a'/><path d='M104 160c-30-24-52-16-62-6c16 18 40 22 62 6zM106 146c20-28 44-26 56-18c-12 20-34 28-56 18z' fill='#3f8436'/><path d='M46 154c20-2 40 0 56 6M158 130c-20 2-36 8-50 16' stroke='#79b56a' stroke-width='2' fill='none'/><path d='M101 136l-10-6l9 14zM104 180l10-4l-8 10z' fill='#2f6a2a'/>
<path d='M70 106c10 16 66 16 76 0l-18 22l-16-8l-20 8z' fill='#3f8436'/>
<path d='M52 58c-14 34 18 64 54 62c38 0 66-28 54-62c-8-22-26-36-54-36s-46 14-54 36z' fill='#a80f2a'/>
<path d='M52 58c6 30 32 44 60 42c-22 22-60 12-66-14c-2-10 0-20 6-28z' fill='#c4183a'/><path d='M160 56c-2 30-20 46-48 46c30 18 56 0 54-24c0-8-2-16-6-22z' fill='#d2254a'/>
<path d='M66 52c0-26 24-34 40-34c22 0 42 12 40 36c-4 30-26 42-46 40c-20-2-34-18-34-42z' fill='#c4183a'/><path d='M74 56c6 22 24 32 44 28c14-2 24-14 26-28c-6 12-18 20-32 20c-16 0-30-8-38-20z' fill='#8c0a20'/>
<path d='M80 46c4-18 18-22 28-22c18 0 28 12 26 26c-4 16-16 22-28 20c-16 0-26-10-26-24z' fill='#e03a5c'/><path d='M88 48c4 12 14 16 24 14c10 0 16-8 18-16' stroke='#8c0a20' stroke-width='4' fill='none'/>
<path d='M94 42c2-12 22-12 24 0c0 12-16 14-20 6c-2-6 6-10 12-6' stroke='#8c0a20' stroke-width='3.5' fill='none' stroke-linecap='round'/>",
    },
    Drawing {
        label: "tree",
        shapes: r"<use href='#meadow'/><ellipse cx='102' cy='180' rx='64' ry='9' fill='url(#shadow)'/>
<path d='M88 182c6-20 8-44 4-70l-20-22l6-4l20 18l4-30h6l2 30l22-22l5 5l-22 28c-2 24 2 48 12 67z' fill='#6b4526'/><path d='M98 176c4-20 4-40 2-60M108 176c-2-20-2-30 0-46' stroke='#4c2f18' stroke-width='2.5' fill='none'/>
<g fill='#2f6e2c'><circle cx='58' cy='84' r='30'/><circle cx='146' cy='84' r='30'/><circle cx='102' cy='92' r='30'/></g><g fill='#418a38'><circle cx='72' cy='56' r='32'/><circle cx='132' cy='56' r='32'/><circle cx='102' cy='70' r='32'/></g><g fill='#5ba548'><circle cx='100' cy='36' r='28'/><circle cx='70' cy='50' r='18'/><circle cx='130' cy='52' r='18'/><circle cx='54' cy='80' r='13'/><circle cx='100' cy='76' r='15'/><circle cx='148' cy='78' r='13'/></g><g fill='#7fc062'><circle cx='92' cy='26' r='11'/><circle cx='64' cy='42' r='8'/><circle cx='124' cy='42' r='9'/></g>",
    },
    Drawing {
        label: "mushroom",
        shapes: r"<rect width='200' height='200' fill='#38573a'/><path d='M20 0h16v160H20zM160 0h22v160h-22zM70 0h9v140h-9z' fill='#2a3f2b'/><rect y='150' width='200' height='50' fill='#5b7a36'/><path d='M0 200c40-30 160-30 200 0z' fill='#6f8f40'/>
<ellipse cx='100' cy='184' rx='50' ry='8' fill='url(#shadow)'/>
<path d='M82 100c2 30-2 56-10 78c16 10 42 10 56 0c-8-22-12-48-10-78z' fill='#f6efdf'/><path d='M104 100c2 30 4 56 14 82c4-1 8-2 10-4c-8-22-12-48-10-78z' fill='#d9cdb2'/><path d='M74 118c16 12 36 12 52 0l4 8c-16 14-42 14-60 0z' fill='#fffaf0'/>
<path d='M24 104c0-54 34-84 76-84s76 30 76 84c-30 16-122 16-152 0z' fill='#d1261f'/><path d='M24 104c30 16 122 16 152 0c-10-6-20-8-30-9H54c-10 1-20 3-30 9z' fill='#f3e4c4'/><path d='M24 104c30-14 122-14 152 0c-30 12-122 12-152 0z' fill='#e8d5ae'/>
<path d='M50 104l20-6M76 108l10-10M124 108l-10-10M150 104l-20-6M100 110V98' stroke='#c4ae82' stroke-width='2'/>
<g fill='#fff8ee'><ellipse cx='98' cy='44' rx='15' ry='11'/><ellipse cx='58' cy='66' rx='11' ry='10'/><ellipse cx='140' cy='64' rx='12' ry='11'/><ellipse cx='94' cy='78' rx='11' ry='8'/><ellipse cx='40' cy='88' rx='6' ry='5'/><ellipse cx='160' cy='88' rx='7' ry='5'/><ellipse cx='124' cy='34' rx='6' ry='5'/><ellipse cx='70' cy='38' rx='6' ry='5'/></g>
<path d='M20 190l6-24l4 24zM40 194l4-20l6 20zM152 194l6-22l4 22zM172 190l8-26l2 26z' fill='#8ab352'/>",
    },
];
