//! Food and drink.

use super::Drawing;

pub(super) const FOOD: &[Drawing] = &[
    Drawing {
        label: "banana",
        shapes: r"<use href='#table'/><ellipse cx='104' cy='158' rx='78' ry='12' fill='url(#shadow)'/>
<path d='M160 30c12 44-6 92-52 110c-30 12-62 8-84-6c-6-6-2-14 6-14c54 6 100-20 112-88z' fill='#f6d02f'/>
<path d='M160 30c12 44-6 92-52 110c-30 12-62 8-84-6c30 6 64 2 88-18c28-22 40-52 36-84z' fill='#d9a91a'/>
<path d='M32 122c54 8 104-20 120-84' stroke='#fff0a0' stroke-width='4' fill='none'/>
<path d='M142 34l2-20h14l4 18z' fill='#8a7a24'/><path d='M143 12h16v5h-16z' fill='#5a4a16'/><path d='M22 134c-5-5-4-12 3-14l4 4l-1 12z' fill='#4a3a14'/>
<path d='M70 134l10 2M96 126l8-3M128 98l4-6' stroke='#a9801a' stroke-width='3' stroke-linecap='round'/>",
    },
    Drawing {
        label: "orange",
        shapes: r"<use href='#table'/><ellipse cx='96' cy='164' rx='72' ry='14' fill='url(#shadow)'/>
<circle cx='86' cy='100' r='62' fill='#f58a1c'/><circle cx='86' cy='100' r='62' fill='url(#shine)'/><g fill='#d9700c'><circle cx='60' cy='120' r='1.5'/><circle cx='76' cy='136' r='1.5'/><circle cx='100' cy='128' r='1.5'/><circle cx='118' cy='110' r='1.5'/><circle cx='52' cy='92' r='1.5'/><circle cx='112' cy='78' r='1.5'/><circle cx='90' cy='112' r='1.5'/><circle cx='70' cy='102' r='1.5'/></g>
<path d='M80 42l4-10h8l2 10c-4 4-10 4-14 0z' fill='#6b5a20'/><path d='M90 38c14-22 38-20 50-10c-10 16-30 22-50 10z' fill='#3f8a34'/><path d='M92 37c16-8 30-10 44-9' stroke='#8cc872' stroke-width='2' fill='none'/>
<circle cx='150' cy='138' r='36' fill='#ee7d10'/><circle cx='150' cy='138' r='31' fill='#fff1d6'/><circle cx='150' cy='138' r='28' fill='#ffa53a'/><path d='M150 110v56M122 138h56M130 118l40 40M170 118l-40 40' stroke='#fff1d6' stroke-width='3'/><circle cx='150' cy='138' r='4' fill='#fff1d6'/>",
    },
    Drawing {
        label: "lemon",
        shapes: r"<use href='#studio'/><ellipse cx='96' cy='160' rx='76' ry='14' fill='url(#shadow)'/>
<g transform='rotate(-18 90 96)'><path d='M14 98c4-6 12-6 16-14c10-24 32-38 58-38s48 14 60 38c4 8 12 8 14 14c-2 6-10 6-14 14c-12 24-34 38-60 38s-48-14-58-38c-4-8-12-8-16-14z' fill='#f9dc2c'/><path d='M14 98c4-6 12-6 16-14c10-24 32-38 58-38s48 14 60 38c4 8 12 8 14 14c-2 6-10 6-14 14c-12 24-34 38-60 38s-48-14-58-38c-4-8-12-8-16-14z' fill='url(#shine)'/></g>
<path d='M28 62c-12-22 0-36 14-42c10 16 6 34-8 46z' fill='#4c9a3a'/><path d='M33 62c0-14 2-26 8-38' stroke='#a3d690' stroke-width='2' fill='none'/>
<circle cx='148' cy='140' r='38' fill='#f0cc18'/><circle cx='148' cy='140' r='33' fill='#fffbe0'/><circle cx='148' cy='140' r='29' fill='#fbe96a'/><path d='M148 111v58M119 140h58M128 120l40 40M168 120l-40 40' stroke='#fffbe0' stroke-width='3.5'/><circle cx='148' cy='140' r='4.5' fill='#fffbe0'/><path d='M136 126l4 8M160 126l-4 8M136 154l4-7' stroke='#d9bc4a' stroke-width='3' stroke-linecap='round'/>",
    },
    Drawing {
        label: "pizza",
        shapes: r"<rect width='200' height='200' fill='#8a5a34'/><path d='M0 40h200M0 84h200M0 128h200M0 172h200' stroke='#6d4423' stroke-width='2'/>
<circle cx='102' cy='106' r='88' fill='#000' fill-opacity='.25'/><circle cx='100' cy='100' r='88' fill='#c98a45'/><circle cx='100' cy='100' r='82' fill='#e2ab62'/><circle cx='100' cy='100' r='73' fill='#b8321f'/><circle cx='100' cy='100' r='69' fill='#f6cf66'/>
<g fill='#fbe6a4'><ellipse cx='70' cy='90' rx='18' ry='10'/><ellipse cx='126' cy='120' rx='20' ry='10'/><ellipse cx='110' cy='60' rx='14' ry='9'/><ellipse cx='80' cy='140' rx='14' ry='9'/></g>
<g id='salami'><circle cx='72' cy='64' r='13' fill='#a8281c'/><circle cx='72' cy='64' r='10' fill='#c8402e'/><circle cx='68' cy='61' r='1.8' fill='#f0a080'/><circle cx='76' cy='67' r='1.8' fill='#f0a080'/></g><use href='#salami' x='56' y='-4'/><use href='#salami' x='-18' y='44'/><use href='#salami' x='28' y='38'/><use href='#salami' x='78' y='40'/><use href='#salami' x='18' y='84'/><use href='#salami' x='60' y='78'/>
<g fill='#2f7d2c'><path d='M98 76c8-6 16-2 18 4c-6 6-14 4-18-4zM62 104c8-6 14-2 16 4c-6 6-12 4-16-4zM118 136c8-6 14-2 16 4c-6 6-12 4-16-4zM142 80c6-8 12-4 14 2c-6 6-10 4-14-2z'/></g><g fill='none' stroke='#2a2320' stroke-width='4'><circle cx='104' cy='88' r='5'/><circle cx='76' cy='122' r='5'/><circle cx='126' cy='96' r='5'/><circle cx='100' cy='44' r='5'/></g>
<path d='M100 12v176M24 56l152 88M176 56L24 144' stroke='#a8722e' stroke-width='2' stroke-opacity='.8'/>",
    },
    Drawing {
        label: "ice cream",
        shapes: r"<rect width='200' height='200' fill='#bfe6ee'/><circle cx='30' cy='40' r='12' fill='#d9f2f6'/><circle cx='168' cy='70' r='16' fill='#d9f2f6'/><circle cx='40' cy='150' r='14' fill='#d9f2f6'/><circle cx='166' cy='160' r='10' fill='#d9f2f6'/>
<path d='M58 102h84l-42 94z' fill='#d99a4a'/><path d='M66 102l44 72M84 102l34 54M104 102l22 34M134 102l-44 72M116 102l-34 54M96 102l-22 34' stroke='#a86c24' stroke-width='2.5'/>
<circle cx='74' cy='82' r='32' fill='#f29ab8'/><circle cx='128' cy='82' r='32' fill='#6b4228'/><circle cx='100' cy='48' r='34' fill='#fbf0d2'/>
<circle cx='74' cy='82' r='32' fill='url(#shine)'/><circle cx='128' cy='82' r='32' fill='url(#shine)'/><circle cx='100' cy='48' r='34' fill='url(#shine)'/>
<path d='M50 100c4 10 12 10 16 2c4 12 14 12 18 2c4 12 16 12 18 0c4 12 14 12 18 0c4 12 14 10 18 0c4 8 12 8 14-2c-20-8-80-10-102-2z' fill='#f6d7a8'/>
<circle cx='100' cy='14' r='9' fill='#c8192e'/><path d='M101 6c2-4 6-6 10-6' stroke='#3f7d2c' stroke-width='2.5' fill='none'/><path d='M84 40l6-4M112 36l5 4M96 58l6 2M118 56l4-5M80 58l5 2' stroke='#3a86c8' stroke-width='3' stroke-linecap='round'/>",
    },
    Drawing {
        label: "cup of coffee",
        shapes: r"<use href='#table'/><ellipse cx='100' cy='176' rx='86' ry='14' fill='url(#shadow)'/>
<ellipse cx='96' cy='166' rx='80' ry='16' fill='#fbfbfb'/><ellipse cx='96' cy='164' rx='80' ry='15' fill='#e9ecef'/><ellipse cx='96' cy='164' rx='52' ry='9' fill='#cfd5da'/>
<path d='M146 92c34-8 44 8 40 26c-4 18-22 28-46 26l4-12c14 2 26-4 28-16c2-10-6-16-24-12z' fill='#f4f6f8'/>
<path d='M36 76h116c2 44-8 76-30 88c-14 6-42 6-56 0c-22-12-32-44-30-88z' fill='#fbfcfd'/><path d='M128 76h24c2 44-8 76-30 88c-6 3-12 4-20 5c20-16 28-50 26-93z' fill='#cdd4da'/>
<ellipse cx='94' cy='76' rx='58' ry='17' fill='#e3e7ea'/><ellipse cx='94' cy='77' rx='52' ry='13.5' fill='#3d2110'/><path d='M46 74c10-12 86-14 96 0c-14-6-80-8-96 0z' fill='#6b4020'/><ellipse cx='86' cy='79' rx='22' ry='5' fill='#8a5a34' fill-opacity='.7'/>
<path d='M72 58c-8-12 8-18 0-32M96 56c-8-14 10-22 0-42M120 58c-8-12 8-18 0-32' stroke='#fff' stroke-width='5' fill='none' stroke-linecap='round' stroke-opacity='.85'/>
<path d='M150 176l38 8' stroke='#9aa4ad' stroke-width='5' stroke-linecap='round'/><ellipse cx='148' cy='175' rx='11' ry='5' fill='#b9c2ca'/>",
    },
];
